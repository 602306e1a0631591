"""The words of the embedded sample, written for it. `{source}`, `{target}` ... are filled in."""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """One kind of imaging, with the datasets that its invented papers use.

    Args:
        images: what the images are called.
        tasks: what is predicted from them.
        targets: datasets that papers test on.
        sources: datasets of the field that papers pretrain on.
        models: pretrained models of the field, with the datasets behind them.
        topic: OpenAlex topic id and name.
    """

    images: str
    tasks: tuple[str, ...]
    targets: tuple[str, ...]
    sources: tuple[str, ...]
    models: tuple[tuple[str, tuple[str, ...]], ...]
    topic: tuple[str, str]


_RADIOLOGY = ("T12422", "Radiomics and Machine Learning in Medical Imaging")
_CANCER = ("T10862", "AI in cancer detection")
_RETINA = ("T11438", "Retinal Imaging and Analysis")

FIELDS = {
    "x-ray": Field(
        "chest radiographs",
        ("pneumonia detection", "pleural effusion detection", "tuberculosis screening"),
        (
            "JSRT",
            "IU X-Ray",
            "CheXpert",
            "ChestX-ray14",
            "VinDr-CXR",
            "PadChest",
            "RSNA Pneumonia",
            "COVIDx",
        ),
        ("CheXpert", "MIMIC-CXR", "ChestX-ray14", "PadChest"),
        (
            ("CheXzero", ("MIMIC-CXR",)),
            ("RAD-DINO", ("MIMIC-CXR", "CheXpert", "ChestX-ray14", "PadChest", "BRAX")),
        ),
        ("T11775", "COVID-19 diagnosis using AI"),
    ),
    "mammography": Field(
        "mammograms",
        ("breast cancer detection", "breast density assessment", "mass classification"),
        ("DDSM", "CBIS-DDSM", "INbreast", "VinDr-Mammo", "CMMD"),
        ("DDSM", "OPTIMAM"),
        (),
        _CANCER,
    ),
    "ct": Field(
        "computed tomography scans",
        ("lung nodule classification", "liver lesion segmentation", "kidney tumour segmentation"),
        ("LIDC-IDRI", "LUNA16", "LiTS", "KiTS", "BTCV", "DeepLesion"),
        ("LUNA16", "TotalSegmentator", "CT-RATE"),
        (("Models Genesis", ("LUNA16",)), ("CT-CLIP", ("CT-RATE",))),
        _RADIOLOGY,
    ),
    "mri": Field(
        "magnetic resonance images",
        ("glioma segmentation", "dementia staging", "prostate lesion detection"),
        ("BraTS", "ADNI", "OASIS-3", "PROMISE12", "fastMRI", "ISLES"),
        ("UK Biobank", "ADNI", "BraTS"),
        (("MedicalNet", ("3DSeg-8",)),),
        ("T12702", "Brain Tumor Detection and Classification"),
    ),
    "ultrasound": Field(
        "ultrasound images",
        ("breast lesion classification", "fetal plane recognition", "thyroid nodule segmentation"),
        ("DDTI", "UDIAT", "BUSI", "BUS-BRA", "HC18", "TN3K", "CAMUS", "FETAL_PLANES_DB"),
        ("EchoNet-Dynamic",),
        (("USFM", ("3M-US",)),),
        _RADIOLOGY,
    ),
    "pathology": Field(
        "histopathology slides",
        ("metastasis detection", "tissue type classification", "Gleason grading"),
        ("GlaS", "CAMELYON16", "PatchCamelyon", "BreaKHis", "NCT-CRC-HE-100K", "PANDA", "BACH"),
        ("TCGA", "PanNuke"),
        (
            ("CTransPath", ("TCGA", "PAIP")),
            ("UNI", ("Mass-100K",)),
            ("PLIP", ("OpenPath",)),
            ("Prov-GigaPath", ("Prov-Path",)),
        ),
        _CANCER,
    ),
    "fundus": Field(
        "retinal fundus photographs",
        ("diabetic retinopathy grading", "glaucoma screening", "retinal vessel segmentation"),
        ("APTOS 2019", "MESSIDOR-2", "IDRiD", "REFUGE", "DRIVE", "EyePACS"),
        ("EyePACS", "ODIR-5K"),
        (("RETFound", ("MEH-MIDAS",)),),
        _RETINA,
    ),
    "oct": Field(
        "optical coherence tomography scans",
        ("macular oedema grading", "drusen detection"),
        ("Duke DME", "OCT2017", "RETOUCH", "OCTA-500"),
        ("OCT2017",),
        (("RETFound", ("MEH-MIDAS",)),),
        _RETINA,
    ),
    "dermoscopy": Field(
        "dermoscopic images",
        ("melanoma recognition", "skin lesion segmentation", "pigmented lesion triage"),
        ("PH2", "Dermofit", "HAM10000", "ISIC", "Derm7pt", "BCN20000"),
        ("ISIC", "HAM10000"),
        (),
        ("T10392", "Cutaneous Melanoma Detection and Management"),
    ),
    "endoscopy": Field(
        "endoscopic frames",
        ("polyp segmentation", "gastrointestinal lesion classification"),
        ("Kvasir-SEG", "CVC-ClinicDB", "HyperKvasir", "ETIS-LaribPolypDB"),
        ("HyperKvasir",),
        (("EndoViT", ("Endo700k",)),),
        ("T10552", "Colorectal Cancer Screening and Detection"),
    ),
    "microscopy": Field(
        "microscopy images",
        ("nucleus segmentation", "white blood cell classification", "malaria screening"),
        (
            "ALL-IDB",
            "Cell Tracking Challenge",
            "Data Science Bowl 2018",
            "LIVECell",
            "NIH Malaria",
            "BCCD",
        ),
        ("LIVECell",),
        (("Cellpose", ("Cellpose dataset",)),),
        ("T12874", "Digital Imaging for Blood Diseases"),
    ),
}

BACKBONES = (
    "AlexNet",
    "VGG16",
    "GoogLeNet",
    "ResNet-50",
    "ResNet-18",
    "Inception-v3",
    "DenseNet-121",
    "EfficientNet-B4",
)
LATE_BACKBONES = ("ViT-B/16", "Swin Transformer", "ConvNeXt", "EfficientNetV2")
FOUNDATION = (
    ("CLIP", ("WIT-400M",)),
    ("Stable Diffusion", ("LAION-5B",)),
    ("SAM", ("SA-1B",)),
    ("BiomedCLIP", ("PMC-15M",)),
    ("DINOv2", ("LVD-142M",)),
    ("MedSAM", ("SA-1B",)),
    ("DINOv3", ("LVD-1689M",)),
)
GENERAL_SOURCES = ("COCO", "Places", "PASCAL VOC", "iNaturalist", "CIFAR-10")
ADAPTATIONS = {
    "x-ray": (("CheXpert", "ChestX-ray14"), ("MIMIC-CXR", "PadChest")),
    "mammography": (("DDSM", "INbreast"),),
    "ct": (("LiTS", "BTCV"), ("LIDC-IDRI", "LUNA16")),
    "mri": (("BraTS", "FeTS"), ("ADNI", "OASIS-3")),
    "pathology": (("CAMELYON16", "BreaKHis"), ("CAMELYON16", "PatchCamelyon")),
    "fundus": (("DRIVE", "STARE"), ("REFUGE", "Drishti-GS"), ("EyePACS", "MESSIDOR-2")),
    "dermoscopy": (("HAM10000", "Derm7pt"), ("ISIC", "PH2")),
    "endoscopy": (("CVC-ClinicDB", "ETIS-LaribPolypDB"), ("Kvasir-SEG", "CVC-ClinicDB")),
}
# No invented paper uses what was not public in its year; what is missing here was by 2015.
FIRST_YEAR = {
    **dict.fromkeys(("BreaKHis", "CAMELYON16", "ISIC", "LUNA16"), 2016),
    **dict.fromkeys(("ResNet-50", "ResNet-18", "Inception-v3"), 2016),
    **dict.fromkeys(("BCCD", "CBIS-DDSM", "ChestX-ray14", "DenseNet-121", "LiTS"), 2017),
    **dict.fromkeys(("Places", "RETOUCH", "UDIAT", "iNaturalist"), 2017),
    **dict.fromkeys(("BACH", "Data Science Bowl 2018", "DeepLesion", "HAM10000"), 2018),
    **dict.fromkeys(("HC18", "IDRiD", "NCT-CRC-HE-100K", "NIH Malaria", "OCT2017"), 2018),
    **dict.fromkeys(("PatchCamelyon", "REFUGE", "RSNA Pneumonia", "fastMRI"), 2018),
    **dict.fromkeys(("APTOS 2019", "BCN20000", "CAMUS", "CheXpert", "Derm7pt", "KiTS"), 2019),
    **dict.fromkeys(("MIMIC-CXR", "ODIR-5K", "OASIS-3", "MedicalNet", "Models Genesis"), 2019),
    **dict.fromkeys(("BUSI", "COVIDx", "EchoNet-Dynamic", "EfficientNet-B4", "OPTIMAM"), 2020),
    **dict.fromkeys(("FETAL_PLANES_DB", "HyperKvasir", "Kvasir-SEG", "OCTA-500"), 2020),
    **dict.fromkeys(("PANDA", "PadChest", "PanNuke"), 2020),
    **dict.fromkeys(("CLIP", "CMMD", "Cellpose", "FeTS", "LIVECell", "TN3K", "ViT-B/16"), 2021),
    **dict.fromkeys(("EfficientNetV2", "ImageNet-21k", "Swin Transformer"), 2021),
    **dict.fromkeys(("CTransPath", "CheXzero", "ConvNeXt", "ISLES", "RadImageNet"), 2022),
    **dict.fromkeys(("Stable Diffusion", "VinDr-CXR"), 2022),
    **dict.fromkeys(("BUS-BRA", "BiomedCLIP", "DINOv2", "EndoViT", "PLIP", "RETFound"), 2023),
    **dict.fromkeys(("SAM", "TotalSegmentator", "VinDr-Mammo"), 2023),
    **dict.fromkeys(("CT-CLIP", "CT-RATE", "MedSAM", "Prov-GigaPath", "RAD-DINO"), 2024),
    **dict.fromkeys(("UNI", "USFM"), 2024),
    **dict.fromkeys(("DINOv3",), 2025),
}
# Words of later years: a sentence or title with one of them is not drawn before.
LATE_WORDS = {
    "contrastive": 2020,
    "self-distillation": 2021,
    "transformer": 2021,
    "masked": 2022,
    "image-report": 2021,
}

BACKGROUND = (
    "Reading {images} takes years of training and remains prone to error.",
    "The growing number of {images} puts pressure on specialists everywhere.",
    "Labels for {images} are costly, since only experts can give them.",
    "Deep networks read {images} well when many labelled examples exist.",
    "Few hospitals have enough annotated {images} to train a deep network.",
    "{Task} would help clinics in which specialists are rare.",
    "Differences between scanners and sites still limit the use of {images}.",
    "Reliable {task} is a step towards earlier treatment.",
    "Studies on {images} are often small, and their findings hard to repeat.",
    "Much of the information in {images} is subtle and easily missed.",
    "Small datasets of {images} invite overfitting.",
    "Clinics ask for {task} that explains itself.",
)
OWN = (
    "We study {task} in {images}.",
    "This paper presents a method for {task} from {images}.",
    "Our aim is {task} with few labelled {images}.",
    "We propose a lightweight approach to {task}.",
    "In this work we revisit {task} with a careful protocol.",
    "We describe a system for {task} and test it across sites.",
    "Here we ask how far {task} can be automated.",
    "We address {task} under a limited budget of labels.",
    "The present work combines attention and multi-scale features for {task}.",
    "We introduce a training scheme for {task} that needs no extra labels.",
    "Our study compares several ways to train networks for {task}.",
    "We develop and validate a pipeline for {task}.",
)
NAMED = (
    "The network is pre-trained on {source} and then fine-tuned.",
    "We initialise the encoder with weights learned from {source}.",
    "The {backbone} pretrained on {source} serves as the feature extractor.",
    "{source}-pretrained weights are the starting point of all our models.",
    "Knowledge is transferred from {source} to our task.",
    "All encoders start from {source} pre-training.",
    "We use {source} for pre-training and adapt all layers afterwards.",
    "Starting from {source} weights, we fine-tune the last two blocks.",
    "Our backbone was first trained on {source} and then adapted.",
    "Features from a frozen network pretrained on {source} feed a linear classifier.",
    "Transfer learning from {source} gives the initial weights.",
    "We fine-tune the {source} pre-trained {backbone}.",
)
IMPLIED = (
    "We fine-tune a pre-trained {backbone} end to end.",
    "A pretrained {backbone} serves as the encoder.",
    "Transfer learning with {backbone} provides the features.",
    "Features of an off-the-shelf {backbone} feed a support vector machine.",
    "The classifier is built on a pre-trained {backbone} whose last layers are retrained.",
    "We use {backbone} with pretrained weights as the backbone.",
    "Our model adapts a pretrained {backbone} by adding an attention block.",
    "The encoder is a pre-trained {backbone} with all layers unfrozen.",
    "We apply transfer learning to {backbone} and tune its final block.",
    "An existing pretrained {backbone} is fine-tuned with a small learning rate.",
    "Deep features are taken from a pre-trained {backbone}.",
    "We compare heads on top of a frozen pretrained {backbone}.",
)
FOUNDATIONS = (
    "We adapt {model} with low-rank updates.",
    "Our approach builds on {model} and tunes only small adapters.",
    "We evaluate {model} by linear probing and by full fine-tuning.",
    "Frozen {model} features are combined with a shallow classifier.",
    "We fine-tune {model} with few labelled examples.",
    "Prompts are learned for {model} while its weights stay fixed.",
    "We investigate whether {model} transfers to this domain.",
    "The proposed method uses {model} as a frozen backbone.",
    "We distill {model} into a small network.",
    "Our benchmark compares {model} with task-specific networks.",
    "Embeddings from {model} are aggregated by attention pooling.",
    "Here {model} is adapted without any change to its encoder.",
)
TARGET = (
    "We evaluate on {target}.",
    "Experiments on {target} show a gain of {points} points over the baseline.",
    "On {target} our method reaches an AUC of {auc}.",
    "The model is trained and tested on {target}.",
    "Results on {target} confirm the benefit.",
    "Our method achieves an AUC of {auc} on the {target} dataset.",
    "We validate the approach on the public {target} dataset.",
    "Extensive experiments on the {target} dataset demonstrate an improvement of {points} points.",
    "Performance is assessed on the {target} test set.",
    "The {target} dataset is used for training and evaluation.",
    "Using the {target} dataset, we obtain an AUC of {auc}.",
    "We report results on {target} with five random seeds.",
)
MENTION = (
    "Unlike most work, our method does not rely on {source} pre-training.",
    "No {source} pre-training is needed.",
    "Recent progress in computer vision was driven by large datasets such as {source}.",
    "Instead of {source} weights we use a task-specific initialisation.",
    "Existing methods commonly rely on {source}.",
    "Previous studies have often relied on {source} pre-training.",
    "Networks trained without {source} are cheaper to share.",
    "Images are normalised with the {source} mean and standard deviation.",
    "Many works in the literature have used {source}.",
    "The success of deep learning on {source} inspired earlier studies.",
    "Conventional pipelines typically start from {source}.",
    "In contrast to {source} pre-training, no external images are required.",
)
SCRATCH = (
    "All networks are trained from scratch.",
    "We train a compact convolutional network from scratch.",
    "Our network is trained from scratch with strong augmentation.",
    "The weights of our model are randomly initialised.",
    "We train our model without pre-training.",
    "The proposed network is learned from scratch on the training split.",
    "A small network trained from scratch is sufficient.",
    "We compare with the same network trained from scratch.",
    "Our models start from randomly initialised weights.",
    "The transformer is trained from scratch with a long schedule.",
    "Training our network from scratch takes two hours.",
    "Here every model is trained from scratch.",
)
ADAPTATION = (
    "We adapt from {source} to {target} without target labels.",
    "The source domain is {source} and the target domain is {target}.",
    "Unsupervised domain adaptation from {source} to {target} is studied.",
    "Knowledge is transferred from {source} to {target} by adversarial training.",
    "We adapt a segmentation network from {source} to {target} by self-training.",
    "Our method generalises from {source} to {target} with a style bank.",
    "Adaptation from the labelled {source} to the unlabelled {target} closes most of the gap.",
    "With {source} as the source domain, we adapt to {target}.",
    "We transfer from {source} to {target} using pseudo-labels.",
    "Domain shift from {source} to {target} is reduced by Fourier mixing.",
    "We learn features that are transferred from {source} to {target}.",
    "The labelled source domain is {source}; the unlabelled target domain is {target}.",
)
SELF_SUPERVISED = (
    "We pre-train a masked autoencoder on {source} and fine-tune it on {target}.",
    "Contrastive pre-training on {source} precedes fine-tuning on {target}.",
    "A transformer is pre-trained on {source} by self-distillation and fine-tuned on {target}.",
    "Self-supervised pre-training on {source} improves results on {target}.",
    "The encoder is pretrained on {source} without labels and evaluated on {target}.",
    "We pretrain on unlabelled images of {source} and fine-tune on {target}.",
    "Our model is self-supervised on {source}, then fine-tuned on {target}.",
    "After contrastive learning on {source}, the model is fine-tuned on {target}.",
    "Masked image modelling on {source} is followed by fine-tuning on {target}.",
    "We use {source} for self-supervised pre-training and {target} for fine-tuning.",
    "An encoder pre-trained on {source} with a rotation task is fine-tuned on {target}.",
    "Pre-training on {source} with image-report pairs helps on {target}.",
)
COMPARED = (
    "We compare {source} pre-training with {other} pre-training.",
    "Networks pre-trained on {source} and on {other} are compared.",
    "Both {source} and {other} are used for pre-training.",
    "Weights pre-trained on {source} outperform those pre-trained on {other}.",
    "We initialise the same network from {source} and from {other}.",
    "Pre-training on {source} is compared with pre-training on {other}.",
    "Our comparison covers networks pre-trained on {source} or {other}.",
    "We contrast transfer from {source} with transfer from {other}.",
    "Models pre-trained on {source} or {other} are fine-tuned under one protocol.",
    "We benchmark encoders pretrained on {source} and {other}.",
    "Our encoders are pre-trained on {source} or on {other}.",
    "We evaluate pre-training on {source} and {other} under equal budgets.",
)
NO_TRANSFER = (
    "A random forest on handcrafted texture features is used.",
    "We fit a mixed-effects model to radiomic features.",
    "A survey of forty clinics informs the design.",
    "The method solves a variational problem and needs no training data.",
    "We analyse inter-reader agreement with weighted kappa.",
    "A Bayesian model relates image features to outcome.",
    "Thresholding and morphology give the final masks.",
    "We register the images with a diffeomorphic algorithm.",
    "The study follows a prospective protocol at one hospital.",
    "A decision curve analysis shows a net benefit.",
    "We use an active contour with a shape prior.",
    "Simulated phantoms serve as the reference.",
)
CLOSING = (
    "Code will be released.",
    "The findings hold across {n} sites.",
    "Limitations and clinical use are discussed.",
    "An ablation over {n} components supports the design.",
    "The training takes {n} hours on one accelerator.",
    "Readers preferred our maps in {n} of 40 cases.",
    "The gain is largest when fewer than {n}00 labels are available.",
    "Calibration improves as well.",
    "Results were stable over {n} random seeds.",
    "A reader study with {n} radiologists is under way.",
    "Errors concentrate on small structures.",
    "The method adds {n} ms to inference.",
)
TITLES = (
    "{Adjective} {approach} for {task} in {images}",
    "{Approach} for {task}: {a} {adjective} study",
    "Towards {adjective} {task} with {approach}",
    "{Task} from {images} by {adjective} {approach}",
    "On {adjective} {approach} for {task}",
    "{Adjective} {task} in {images} through {approach}",
)
ADJECTIVES = (
    "robust",
    "efficient",
    "interpretable",
    "label-efficient",
    "multi-centre",
    "uncertainty-aware",
    "lightweight",
    "calibrated",
    "reproducible",
    "scalable",
    "prospective",
    "multi-scale",
    "attention-guided",
    "cost-aware",
    "privacy-preserving",
    "boundary-aware",
)
APPROACHES = {
    "named": ("transfer learning", "deep transfer", "fine-tuned networks", "pretrained encoders"),
    "implied": ("transfer learning", "convolutional features", "deep features", "fine-tuning"),
    "foundation": ("foundation models", "parameter-efficient tuning", "prompt learning"),
    "self-supervised": ("self-supervised learning", "contrastive pre-training", "masked modelling"),
    "adaptation": ("domain adaptation", "unsupervised adaptation", "domain alignment"),
    "compared": ("pre-training", "source selection", "transfer learning"),
    "scratch": ("compact networks", "convolutional networks", "dense prediction"),
    "none": ("statistical modelling", "radiomics", "variational methods", "reader studies"),
    "mention": ("semi-supervised learning", "neural architecture search", "graph reasoning"),
}
VENUES = (
    "Sample Journal of Medical Vision",
    "Invented Transactions on Imaging",
    "Proceedings of the Example Conference on Medical Images",
    "Illustrative Radiology Letters",
    "Sample Archive of Pathology Informatics",
    "Mock Proceedings on Learning and Imaging",
    "Fictional Annals of Ophthalmic Computing",
    "Demonstration Journal of Dermatology Imaging",
    "Made-up Reviews in Biomedical Engineering",
    "Placeholder Preprints",
)
FAMILY_NAMES = (
    "Abara",
    "Bergdal",
    "Castellanos",
    "Dvorakova",
    "Eskelund",
    "Fontanelli",
    "Grigoryan",
    "Hashimoto",
    "Ivanenko",
    "Jablonska",
    "Kowarski",
    "Lindqvist",
    "Mwangi",
    "Nakagawa",
    "Oyelaran",
    "Petrosyan",
    "Quispe",
    "Rahimova",
    "Santangelo",
    "Tremblay",
    "Udo",
    "Venter",
)
GIVEN_NAMES = (
    "Aino",
    "Bela",
    "Chidi",
    "Dara",
    "Elif",
    "Farid",
    "Greta",
    "Hiro",
    "Ines",
    "Jomo",
    "Kaya",
    "Lior",
    "Mina",
    "Nils",
    "Oona",
    "Pavel",
    "Rosa",
    "Sani",
    "Tove",
    "Uma",
    "Vera",
    "Wen",
)
PUBLISHED = "This version adds an external validation at {n} hospitals."
INSTITUTIONS = (
    "Example University",
    "Sample Medical Centre",
    "Invented Institute of Technology",
    "Fictional University Hospital",
    "Institute for Illustrative Imaging",
)
# What is wrong with real texts: a pattern, and what stands in its place.
WARTS = (
    (r" (and|with|for|of|on|in) ", r" \1&amp;nbsp;"),
    (r" (from|on|in|of) ", r" <i>\1</i> "),
    (r" (and|with|for|in) ", " \u2013 \\1 "),
    (r"^(\w+)", r"&lt;i&gt;\1&lt;/i&gt;"),
    (r"fi", "\ufb01"),
    (r"([a-z])-([a-z])", "\\1\u2011\\2"),
    (r"$", " Training emitted 3 kg of CO<sub>2</sub> &amp; took &lt; 2 days."),
)
TITLE_WARTS = ("<b>{}</b>", "Methods &amp; data: {}", "{} &lt;i&gt;in silico&lt;/i&gt;")


class Foreign(NamedTuple):
    """A paper in another language: its kind of imaging, words, and what they say."""

    language: str
    modality: str
    title: str
    text: str
    source: str | None = None
    implied: bool = False
    from_scratch: bool = False


OTHER_LANGUAGES = (
    Foreign(
        "de",
        "x-ray",
        "Erkennung von Lungenentzündung",
        "Wir untersuchen ein vortrainiertes ResNet-50. Die Ergebnisse sind stabil.",
        "ImageNet",
        True,
    ),
    Foreign(
        "de",
        "dermoscopy",
        "Melanome im Auflichtbild",
        "Das Netz wurde auf ImageNet vortrainiert und danach angepasst.",
        "ImageNet",
    ),
    Foreign(
        "de",
        "oct",
        "Makulaödeme in der Kohärenztomografie",
        "Alle Netze werden von Grund auf trainiert.",
        from_scratch=True,
    ),
    Foreign(
        "fr",
        "x-ray",
        "Détection de la pneumonie",
        "Nous évaluons un réseau pré-entraîné sur ImageNet. Le gain est modeste.",
        "ImageNet",
    ),
    Foreign(
        "fr",
        "mammography",
        "Densité mammaire et apprentissage",
        "Un réseau VGG16 pré-entraîné sert d'extracteur de caractéristiques.",
        "ImageNet",
        True,
    ),
    Foreign(
        "fr",
        "fundus",
        "Dépistage de la rétinopathie",
        "Le modèle est entraîné sans pré-entraînement, à partir de poids aléatoires.",
        from_scratch=True,
    ),
    Foreign(
        "es",
        "dermoscopy",
        "Detección de melanoma",
        "Evaluamos una red preentrenada con ImageNet. El código es público.",
        "ImageNet",
    ),
    Foreign(
        "es",
        "ultrasound",
        "Nódulos tiroideos en ecografía",
        "Una red DenseNet-121 preentrenada se ajusta con pocas imágenes.",
        "ImageNet",
        True,
    ),
    Foreign(
        "es",
        "ct",
        "Lesiones hepáticas en tomografía",
        "Comparamos métodos clásicos de segmentación sin aprendizaje.",
    ),
    Foreign(
        "pt",
        "pathology",
        "Classificação de lesões",
        "Avaliamos uma rede treinada do zero. Os resultados variam entre centros.",
        from_scratch=True,
    ),
    Foreign(
        "pt",
        "endoscopy",
        "Pólipos em colonoscopia",
        "O codificador foi pré-treinado no ImageNet e ajustado depois.",
        "ImageNet",
    ),
    Foreign(
        "pt",
        "microscopy",
        "Contagem de células do sangue",
        "Um modelo estatístico simples basta para a contagem.",
    ),
    Foreign(
        "zh",
        "ct",
        "肺结节检测",
        "我们使用在 ImageNet 上预训练的网络。 结果稳定。",
        "ImageNet",
    ),
    Foreign(
        "zh",
        "fundus",
        "眼底图像分级",
        "本文采用预训练的 ResNet-50 提取特征。",
        "ImageNet",
        True,
    ),
    Foreign(
        "zh",
        "mri",
        "脑肿瘤分割",
        "网络从头训练， 不使用外部数据。",
        from_scratch=True,
    ),
)
