"""Lists pods, by the configuration that KUBECONFIG names."""

from kubernetes import client, config

config.load_kube_config()
print(len(client.CoreV1Api().list_namespaced_pod("payments").items))
