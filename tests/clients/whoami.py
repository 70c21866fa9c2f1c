"""Asks who it is, as boto3 finds its credentials."""

import boto3

print(boto3.client("sts", region_name="eu-central-1").get_caller_identity()["Arn"])
