"""Do popular sources deserve it? Open `experiments.finetune` first."""
