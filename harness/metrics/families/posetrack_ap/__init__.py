"""AP of each joint: PoseTrack18."""
