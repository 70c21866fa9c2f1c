"""Asks the metadata service on a connection that was there before: kept.py MADE GO, which are paths of files that say how far it is."""

import http.client
import pathlib
import sys
import time

made, go = map(pathlib.Path, sys.argv[1:])
connection = http.client.HTTPConnection("169.254.169.254", timeout=10)
connection.connect()
made.touch()
while not go.exists():
    time.sleep(0.05)
connection.request("GET", "/latest/meta-data/iam/security-credentials/")
print(connection.getresponse().status)
