"""What is wrong with predictions: errors by keypoint, by kind and by circumstance, what they cost, and the worst cases.

After Ronchi and Perona, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation", ICCV 2017.
"""
