"""Servers as clients of clouds meet them, on loopback: servers.py DIRECTORY NAME...

Says "ready" once all listen, and ends when standard input does. DIRECTORY/hosts and DIRECTORY/passwd have to be in force; certificates are put into DIRECTORY.
"""

import asyncio
import datetime
import http.client
import http.server
import ipaddress
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NAMES = [
    "sts.eu-central-1.amazonaws.com",
    "sts.amazonaws.com",
    "secretsmanager.eu-central-1.amazonaws.com",
    "oauth2.googleapis.com",
    "login.microsoftonline.com",
    "api.cluster.example",
    "auth.docker.io",
    "registry-1.docker.io",
]
ADDRESSES = ["127.0.0.2", "127.0.0.3"]


def certificates(directory):
    """A CA that clients are told to trust, and a certificate for all names."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def signed(name, key, issuer, issuer_key, *extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(issuer_key, hashes.SHA256())

    def called(name):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = signed(
        called("decoy authority"),
        authority_key,
        called("decoy authority"),
        authority_key,
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), False),
        (
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            True,
        ),
    )
    alternatives = [x509.DNSName(name) for name in NAMES]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in ADDRESSES]
    server = signed(
        called("decoy server"),
        key,
        authority.subject,
        authority_key,
        (x509.SubjectAlternativeName(alternatives), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), False),
    )
    pem = serialization.Encoding.PEM
    (directory / "ca.crt").write_bytes(authority.public_bytes(pem))
    (directory / "server.crt").write_bytes(server.public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "server.key").write_bytes(secret)


def answering(answers):
    """Answers by the beginning of the path, and by none an empty object."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = (body for path, body in answers.items() if self.path.startswith(path))
            body = json.dumps(next(found, {})).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Metadata-Flavor", "Google")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *_):
            pass

    return Handler


def serve(address, port, handler, context=None):
    server = http.server.ThreadingHTTPServer((address, port), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def tls(directory):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "server.crt", directory / "server.key")
    return context


def aws(directory):
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    application = DomainDispatcherApplication(create_backend_app)
    for address, port, context in [("169.254.169.254", 80, None), ("127.0.0.2", 443, tls(directory))]:
        server = make_server(address, port, application, threaded=True, ssl_context=context)
        threading.Thread(target=server.serve_forever, daemon=True).start()


def translated(_):
    """What goes to an endpoint's address goes elsewhere, and to an endpoint what goes elsewhere, as by a cluster's or a proxy's rules."""
    rules = """
        table ip decoy {
            chain output {
                type nat hook output priority -100;
                ip daddr 169.254.169.254 tcp dport 80 dnat to 127.0.0.1:8080
                ip daddr 192.0.2.1 tcp dport 80 dnat to 169.254.170.2:80
            }
        }
    """
    for address in ["169.254.170.2/32", "192.0.2.1/32"]:
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    serve("127.0.0.1", 8080, answering({}))
    serve("169.254.170.2", 80, answering({}))


TOKEN = {"access_token": "decoy-token", "token_type": "Bearer", "expires_in": 3600}


def google(directory):
    accounts = "/computeMetadata/v1/instance/service-accounts/default"
    account = {"aliases": ["default"], "email": "web@decoy.iam.gserviceaccount.com", "scopes": ["a"]}
    serve("169.254.169.254", 80, answering({f"{accounts}/token": TOKEN, accounts: account}))
    serve("127.0.0.2", 443, answering({"/token": TOKEN}), tls(directory))


def azure(directory):
    token = TOKEN | {"expires_in": "3600", "expires_on": "4102444800", "resource": "https://vault.azure.net"}
    serve("169.254.169.254", 80, answering({"/metadata/identity/oauth2/token": token}))
    host = "https://login.microsoftonline.com"
    tenant = f"{host}/decoy-tenant"
    metadata = {
        "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
        "token_endpoint": f"{tenant}/oauth2/v2.0/token",
        "issuer": f"{tenant}/v2.0",
        "tenant_discovery_endpoint": f"{tenant}/v2.0/.well-known/openid-configuration",
        "metadata": [],
    }
    answers = {
        "/common/discovery": metadata,
        "/decoy-tenant/v2.0/.well-known": metadata,
        "/decoy-tenant/oauth2/v2.0/token": TOKEN,
    }
    serve("127.0.0.2", 443, answering(answers), tls(directory))


def kubernetes(directory):
    """An API and a kubelet, each within TLS and in clear."""
    pods = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}
    kind = {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod", "verbs": ["get", "list"]}
    account = "/api/v1/namespaces/payments/serviceaccounts/billing"
    status = {"token": "decoy-given-token", "expirationTimestamp": "2100-01-01T00:00:00Z"}
    answers = {
        "/api/v1/namespaces/payments/pods": pods,
        f"{account}/token": {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "spec": {"audiences": ["decoy"]},
            "status": status,
        },
        "/api/v1": {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": [kind]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
        "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    }
    kubelet = answering({"/pods": pods})
    for port, handler, context in [
        (6443, answering(answers), tls(directory)),
        (8001, answering(answers), None),
        (10250, kubelet, tls(directory)),
        (10255, kubelet, None),
    ]:
        serve("127.0.0.3", port, handler, context)


def registry(directory):
    """A registry of images, and who gives tokens for it to whom it knows."""
    tags = {"name": "decoy/app", "tags": ["1"]}

    class Handler(answering({"/token": {"token": "decoy-token"}, "/v2/decoy/app/tags/list": tags})):
        def answer(self):
            if self.path.startswith("/token") or self.headers.get("Authorization") == "Bearer decoy-token":
                return super().answer()
            self.send_response(401)
            realm = "https://auth.docker.io/token"
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="registry.docker.io"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = answer

    serve("127.0.0.2", 443, Handler, tls(directory))


def proxy(_):
    """A proxy: asks for what it is asked for in absolute form, and connects to what it is asked to connect to."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            url = urllib.parse.urlsplit(self.path)
            there = http.client.HTTPConnection(url.netloc, timeout=10)
            there.request("GET", url.path, headers={"Host": url.netloc})
            answer = there.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            there.close()

        def do_CONNECT(self):
            host, port = self.path.rsplit(":", 1)
            there = socket.create_connection((host, int(port)), 10)
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=carry, args=(there, self.connection), daemon=True)
            back.start()
            carry(self.connection, there)
            back.join()
            there.close()
            self.close_connection = True

        def log_message(self, *_):
            pass

    serve("127.0.0.4", 3128, Handler)


def carry(here, there):
    """What comes here goes there, to its end."""
    try:
        while said := here.recv(65536):
            there.sendall(said)
        there.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def ssh(directory):
    """An SSH server, whose users and their keys are those of /etc/passwd, and a repository behind it."""
    key = directory / "host_key"
    subprocess.run(["dropbearkey", "-t", "ed25519", "-f", key], check=True, stdout=subprocess.DEVNULL)
    shown = subprocess.run(["dropbearkey", "-y", "-f", key], check=True, stdout=subprocess.PIPE, text=True)
    public = next(line for line in shown.stdout.splitlines() if line.startswith("ssh-ed25519 "))
    (directory / "known_hosts").write_text(f"git.example {public}\n")
    bare_repository(directory)
    listens = ["-p", "127.0.0.5:22", "-P", directory / "dropbear.pid"]
    return serving(["dropbear", "-F", "-E", "-s", "-r", key, *listens], ("127.0.0.5", 22))


def openssh(directory):
    """As `ssh`, by OpenSSH's own server: this machine's, or one that is put beside the clients and was never installed."""
    beside = pathlib.Path(sys.prefix).parent / "ssh-server"
    usual = f"{os.environ['PATH']}:/usr/sbin"
    program = shutil.which("sshd", path=usual) or beside / "usr/sbin/sshd"
    key = directory / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = key.with_suffix(".pub").read_text()
    (directory / "known_hosts").write_text(f"git.example {public}")
    bare_repository(directory)
    # Where it has those that it does not trust yet; /run is the host's.
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    os.mkdir("/run/sshd", 0o755)
    configuration = directory / "sshd_config"
    configuration.write_text(
        f"""ListenAddress 127.0.0.5:22
HostKey {key}
PidFile {directory}/sshd.pid
AuthenticationMethods publickey
PermitRootLogin yes
StrictModes no
UsePAM no
"""
    )
    libraries = ":".join(map(str, beside.glob("**/lib/*-linux-gnu")))
    environment = os.environ | {"LD_LIBRARY_PATH": libraries}
    return serving([program, "-D", "-e", "-f", configuration], ("127.0.0.5", 22), environment)


def bare_repository(directory):
    none_of_ours = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    command = ["git", "init", "--quiet", "--bare", directory / "repository.git"]
    subprocess.run(command, check=True, env=none_of_ours)


def serving(command, address, environment=None):
    """A server as a process of its own, once it listens. What it has to say is in its log."""
    server = subprocess.Popen(command, env=environment)
    while server.poll() is None:
        try:
            socket.create_connection(address, 1).close()
            return server
        except OSError:
            time.sleep(0.02)
    sys.exit(f"{command} ended")


def nginx(directory):
    """nginx as a peer of all versions of TLS that it still has."""
    configuration = directory / "nginx.conf"
    configuration.write_text(
        f"""daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.2:443 ssl;
        ssl_certificate {directory}/server.crt; ssl_certificate_key {directory}/server.key;
        ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;
        location / {{ return 200 "decoy\\n"; }}
    }}
}}
"""
    )
    return serving(["nginx", "-c", configuration, "-e", "stderr"], ("127.0.0.2", 443))


def quic(directory, retry=False, **more):
    from aioquic.asyncio import serve as serve_quic
    from aioquic.quic.configuration import QuicConfiguration

    configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"], **more)
    configuration.load_cert_chain(directory / "server.crt", directory / "server.key")
    listening = threading.Event()
    tickets = {}

    def keep(ticket):
        tickets[ticket.ticket] = ticket

    async def forever():
        await serve_quic(
            "127.0.0.2",
            443,
            configuration=configuration,
            retry=retry,
            session_ticket_fetcher=tickets.get,
            session_ticket_handler=keep,
        )
        listening.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(forever()), daemon=True).start()
    listening.wait()


def quic_retry(directory):
    quic(directory, retry=True)


def quic_of_one_version(directory):
    from aioquic.quic.packet import QuicProtocolVersion

    quic(directory, supported_versions=[QuicProtocolVersion.VERSION_1])


def main():
    directory = pathlib.Path(sys.argv[1])
    certificates(directory)
    started = [globals()[name](directory) for name in sys.argv[2:]]
    print("ready", flush=True)
    sys.stdin.read()
    for process in filter(None, started):
        process.terminate()
        process.wait()


main()
