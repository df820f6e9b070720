"""OKS-based AP and AR: COCO, CrowdPose, AIC, Human-Art."""
