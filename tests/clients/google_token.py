"""Gets a token: google_token.py [KEY FILE], else from the metadata service."""

import sys

from google.auth import compute_engine
from google.auth.transport.requests import Request
from google.oauth2 import service_account

if len(sys.argv) > 1:
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    credentials = service_account.Credentials.from_service_account_file(sys.argv[1], scopes=scopes)
else:
    credentials = compute_engine.Credentials()
credentials.refresh(Request())
print(bool(credentials.token))
