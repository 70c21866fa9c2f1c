"""Keeps a secret in AWS's Secrets Manager and asks for it, as boto3 finds its credentials: secret.py NAME."""

import sys

import boto3

secrets = boto3.client("secretsmanager", region_name="eu-central-1")
secrets.create_secret(Name=sys.argv[1], SecretString="decoy-secret")
assert secrets.get_secret_value(SecretId=sys.argv[1])["SecretString"] == "decoy-secret"
