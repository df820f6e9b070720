_base_ = ["litehrnet-18_coco-128x96.py"]

train_cfg = dict(max_epochs=7)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type="CosineAnnealingLR", begin=0, end=7, T_max=7, eta_min=2e-5, by_epoch=True, convert_to_iter_based=True)
]

model = dict(head=dict(out_channels=14))

dataset_type = "CrowdPoseDataset"
data_root = "data/demo/crowdpose/"
train_dataloader = dict(
    dataset=dict(type=dataset_type, data_root=data_root, ann_file="annotations/crowdpose_train.json")
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file="annotations/crowdpose_val.json",
        bbox_file=data_root + "annotations/detections_val.json",
    )
)
test_dataloader = val_dataloader
val_evaluator = dict(
    ann_file=data_root + "annotations/crowdpose_val.json",
    use_area=False,
    iou_type="keypoints_crowd",
    prefix="crowdpose",
)
test_evaluator = val_evaluator
