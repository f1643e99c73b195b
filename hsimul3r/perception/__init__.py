"""People and things in pictures: pure geometry of boxes, keypoints, masks and identities."""
