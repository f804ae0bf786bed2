"""Instances become nodes: what the kubelets and the cloud controller of an EKS cluster would do, over kwok.

What it must not know: how instances come to be (Auto Scaling's), and how a control plane is started.
"""
