"""Gets a token: azure_token.py managed, or azure_token.py secret."""

import sys

from azure.identity import ClientSecretCredential, ManagedIdentityCredential

if sys.argv[1] == "managed":
    credential = ManagedIdentityCredential()
else:
    credential = ClientSecretCredential("decoy-tenant", "decoy-client", "decoy-secret")
print(bool(credential.get_token("https://vault.azure.net/.default").token))
