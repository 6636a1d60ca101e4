"""Pretrained weight files, of detectors and of rival systems: names, addresses, sizes, hashes and licences.

Where a publisher gives less than a SHA-256, a row says what is checked instead.
"""

from __future__ import annotations

from dataclasses import dataclass

TORCH = "https://download.pytorch.org/models/"
GITHUB = "https://github.com/"
HUGGING_FACE = "https://huggingface.co/"
INTERPOLATION = (
    HUGGING_FACE
    + "Comfy-Org/frame_interpolation/resolve/219da3c9d8c357ceaf457fc1d5932c6e861b8dee/frame_interpolation/"
)
CLIP = "https://openaipublic.azureedge.net/clip/models/"


@dataclass(frozen=True)
class Weight:
    """One weight file.

    Attributes:
        name: how the code calls it.
        file: file name on disk.
        sha256: of its bytes; the first digits only where its publisher gives no more; empty where nobody does.
        megabytes: size, rounded.
        urls: addresses, tried in order; all must give the same bytes.
        licence: what is known of its terms.
        metrics: names of the metrics that need it.
        systems: names of the systems that need it.
        md5: of its bytes, where that is what there is.
    """

    name: str
    file: str
    sha256: str
    megabytes: int
    urls: tuple[str, ...]
    licence: str
    metrics: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    md5: str = ""

    @property
    def pin(self) -> str:
        """What a file is checked by, in words."""
        if len(self.sha256) == 64:
            return self.sha256
        parts = [f"begins with {self.sha256}"] if self.sha256 else []
        return ", ".join([*parts, *([f"MD5 {self.md5}"] if self.md5 else [])]) or "not published"


WEIGHTS: dict[str, Weight] = {
    weight.name: weight
    for weight in (
        Weight(
            "inception",
            "pt_inception-2015-12-05-6726825d.pth",
            "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
            96,
            (
                GITHUB + "mseitzer/pytorch-fid/releases/download/fid_weights/"
                "pt_inception-2015-12-05-6726825d.pth",
                GITHUB + "toshas/torch-fidelity/releases/download/v0.2.0/"
                "weights-inception-2015-12-05-6726825d.pth",
            ),
            "Apache-2.0 (TensorFlow graph, ported by pytorch-fid)",
            ("fid", "fid_tf1", "fid_clean", "kid"),
        ),
        Weight(
            "i3d",
            "i3d_pretrained_400.pt",
            "55095f049e706479d48e221adcdb145b2b9dc930ba28b081ed72367ffaa32343",
            51,
            (
                GITHUB + "songweige/TATS/raw/main/tats/fvd/i3d_pretrained_400.pt",
                GITHUB + "npurson/fid-metrics/releases/download/v1.0/i3d_pretrained_400.pt",
                GITHUB + "bytedance/pv3d/releases/download/v1.0.0/i3d_pretrained_400.pt",
                "https://drive.google.com/uc?export=download&id=1mQK8KD8G6UWRa5t87SRMm5PVXtlpneJT",
            ),
            "MIT (VideoGPT); trained by DeepMind on Kinetics-400",
            ("fvd", "fvd_cdfvd"),
        ),
        Weight(
            "i3d_torchscript",
            "i3d_torchscript.pt",
            "bec6519f66ea534e953026b4ae2c65553c17bf105611c746d904657e5860a5e2",
            51,
            (
                "https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt?dl=1",
                HUGGING_FACE + "flateon/FVD-I3D-torchscript/resolve/main/i3d_torchscript.pt",
                HUGGING_FACE + "ByteDance/LatentSync-1.6/resolve/main/auxiliary/i3d_torchscript.pt",
            ),
            "not stated (StyleGAN-V, non-commercial code)",
            ("fvd_styleganv",),
        ),
        Weight(
            "alexnet",
            "alexnet-owt-7be5be79.pth",
            "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            244,
            (TORCH + "alexnet-owt-7be5be79.pth",),
            "BSD-3-Clause (torchvision); trained on ImageNet",
            ("lpips_alex",),
        ),
        Weight(
            "vgg16",
            "vgg16-397923af.pth",
            "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            553,
            (TORCH + "vgg16-397923af.pth",),
            "BSD-3-Clause (torchvision); trained on ImageNet",
            ("lpips_vgg", "dists"),
        ),
        Weight(
            "squeezenet",
            "squeezenet1_1-b8a52dc0.pth",
            "b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
            5,
            (TORCH + "squeezenet1_1-b8a52dc0.pth",),
            "BSD-3-Clause (torchvision); trained on ImageNet",
            ("lpips_squeeze",),
        ),
        Weight(
            "film",
            "film_net_fp16.safetensors",
            "f226e51375dc839d4b40e5c3d63da560dd1ea1c962364ec78f5adf2d05db05c0",
            69,
            (INTERPOLATION + "film_net_fp16.safetensors",),
            "Apache-2.0 (google-research/frame-interpolation, ported by dajes)",
            systems=("film-style",),
        ),
        Weight(
            "rife",
            "rife_v4.25.safetensors",
            "1505884b9bdae956795430d2a70f7e2317b2abd8f130f8cfdb35a5759f909481",
            23,
            (INTERPOLATION + "rife_v4.25.safetensors",),
            "MIT (hzwer/Practical-RIFE)",
            systems=("rife-4.25",),
        ),
        Weight(
            "dino_vitb16",
            "dino_vitbase16_pretrain.pth",
            "",
            343,
            ("https://dl.fbaipublicfiles.com/dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth",),
            "Apache-2.0 (facebookresearch/dino); trained on ImageNet without labels",
            ("i2v_subject", "subject_consistency"),
            md5="552daf80332dbde16bba2a52c6508b77",  # of the file server's own metadata, as others noted it
        ),
        Weight(
            "clip_vit_b_32",
            "ViT-B-32.pt",
            "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
            354,
            (CLIP + "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",),
            "MIT (openai/CLIP)",
            ("background_consistency", "clip"),
        ),
        Weight(
            "clip_vit_l_14",
            "ViT-L-14.pt",
            "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
            933,
            (CLIP + "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836/ViT-L-14.pt",),
            "MIT (openai/CLIP)",
            ("aesthetic_quality",),
        ),
        Weight(
            "laion_aesthetic",
            "sa_0_4_vit_l_14_linear.pth",
            "",
            1,
            (
                "https://raw.githubusercontent.com/LAION-AI/aesthetic-predictor/"
                "7e37768a02b0863eac390a702903aaa90ecf938e/sa_0_4_vit_l_14_linear.pth",
            ),
            "MIT (LAION-AI/aesthetic-predictor)",
            ("aesthetic_quality",),
        ),
        Weight(
            "musiq_spaq",
            "musiq_spaq_ckpt-358bb6af.pth",
            "358bb6af275e28ea56821d44fb55c6cb83645db11f394d3ad65b2d149965ab50",
            108,
            (GITHUB + "chaofengc/IQA-PyTorch/releases/download/v0.1-weights/musiq_spaq_ckpt-358bb6af.pth",),
            "of pyiqa (not for commercial use); MUSIQ's own are Apache-2.0",
            ("imaging_quality",),
        ),
        Weight(
            "raft_large",
            "raft_large_C_T_V1-22a6c225.pth",
            "22a6c225",
            21,
            (TORCH + "raft_large_C_T_V1-22a6c225.pth",),
            "BSD-3-Clause (RAFT's raft-things.pth, ported by torchvision)",
            ("dynamic_degree_torchvision",),
        ),
        Weight(
            "raft_large_skht",
            "raft_large_C_T_SKHT_V2-ff5fadd5.pth",
            "ff5fadd56d26b40647388883af1547351ea17868b765c05b27231e72dd16a322",
            21,
            (TORCH + "raft_large_C_T_SKHT_V2-ff5fadd5.pth",),
            "BSD-3-Clause (torchvision); trained on Sintel, KITTI, HD1K, FlyingChairs and FlyingThings3D",
            ("warping_error_raft",),
        ),
    )
}
