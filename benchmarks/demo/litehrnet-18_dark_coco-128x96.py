_base_ = ["litehrnet-18_coco-128x96.py"]

train_cfg = dict(max_epochs=2)
optim_wrapper = dict(optimizer=dict(lr=7e-4))
param_scheduler = [
    dict(type="CosineAnnealingLR", begin=0, end=2, T_max=2, eta_min=2e-5, by_epoch=True, convert_to_iter_based=True)
]

codec = dict(type="MSRAHeatmap", input_size=(96, 128), heatmap_size=(24, 32), sigma=2, unbiased=True)
model = dict(head=dict(decoder=codec))

train_pipeline = [
    dict(type="LoadImage"),
    dict(type="GetBBoxCenterScale"),
    dict(type="RandomFlip", direction="horizontal"),
    dict(type="RandomHalfBody", prob=0.2),
    dict(type="RandomBBoxTransform", rotate_factor=30, scale_factor=(0.75, 1.25)),
    dict(type="TopdownAffine", input_size=codec["input_size"]),
    dict(type="GenerateTarget", encoder=codec),
    dict(type="PackPoseInputs"),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
