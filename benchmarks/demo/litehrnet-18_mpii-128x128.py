_base_ = ["mmpose::body_2d_keypoint/topdown_heatmap/mpii/td-hm_litehrnet-18_8xb64-210e_mpii-256x256.py"]

train_cfg = dict(max_epochs=8)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type="CosineAnnealingLR", begin=0, end=8, T_max=8, eta_min=2e-5, by_epoch=True, convert_to_iter_based=True)
]

codec = dict(type="MSRAHeatmap", input_size=(128, 128), heatmap_size=(32, 32), sigma=2)
model = dict(head=dict(decoder=codec))

data_root = "data/demo/mpii/"
train_pipeline = [
    dict(type="LoadImage"),
    dict(type="GetBBoxCenterScale"),
    dict(type="RandomFlip", direction="horizontal"),
    dict(type="RandomBBoxTransform", shift_prob=0, rotate_factor=30, scale_factor=(0.75, 1.25)),
    dict(type="TopdownAffine", input_size=codec["input_size"]),
    dict(type="GenerateTarget", encoder=codec),
    dict(type="PackPoseInputs"),
]
val_pipeline = [
    dict(type="LoadImage"),
    dict(type="GetBBoxCenterScale"),
    dict(type="TopdownAffine", input_size=codec["input_size"]),
    dict(type="PackPoseInputs"),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, data_prefix=dict(img="train/"), pipeline=train_pipeline),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root,
        headbox_file=data_root + "annotations/mpii_gt_val.mat",
        data_prefix=dict(img="val/"),
        pipeline=val_pipeline,
    ),
)
test_dataloader = val_dataloader
