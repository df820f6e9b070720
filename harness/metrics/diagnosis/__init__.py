"""Error analysis of predictions: errors by keypoint, by kind and by circumstance, their cost, and the worst cases.

After Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation", ICCV 2017.
"""
