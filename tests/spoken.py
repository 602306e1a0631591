"""Words for a dataset, as papers have them, and what they stand for: in Python and on the page."""

# Words -> (dataset, its only role) of each that they name; none if they name none.
NAMED: dict[str, list[tuple[str, str | None]]] = {
    "imagenet": [("ImageNet", None)],
    "BraTS 2021": [("BraTS", None)],
    "ISIC17": [("ISIC", None)],
    "NIH Chest X-ray dataset": [("ChestX-ray14", None)],
    "SAM": [("SA-1B", "source")],
    "DINOv3": [("LVD-1689M", "source")],
    "the CLIP model": [("WIT-400M", "source")],
    "LLaVA-Med": [("PMC-15M", "source")],
    "ResNet-50": [("ImageNet", "source")],
    "VGG-16": [("ImageNet", "source")],
    "INSIGHT": [],
    "COVID-19 chest X-ray": [],
    "dataset": [],
    "unspecified": [("unspecified", "source")],
}
