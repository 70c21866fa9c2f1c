"""Asks a cluster's API for a token of a service account, or a kubelet which pods it has: cluster.py token|pods URL."""

import os
import sys

from kubernetes import client

what, url = sys.argv[1:]
configuration = client.Configuration(host=url, api_key={"authorization": "Bearer decoy-shown-token"})
configuration.ssl_ca_cert = os.environ["SSL_CERT_FILE"]
with client.ApiClient(configuration) as api:
    if what == "token":
        wanted = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=["decoy"]))
        core = client.CoreV1Api(api)
        given = core.create_namespaced_service_account_token("billing", "payments", wanted)
        assert given.status.token == "decoy-given-token"
    else:
        asked = api.param_serialize("GET", "/pods", auth_settings=["BearerToken"])
        assert api.call_api(*asked).status == 200
