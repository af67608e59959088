"""Picture files with boxes: COCO's JSON, YOLO's text files, Pascal VOC's XML."""
