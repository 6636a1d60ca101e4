"""The pipelines of diffusers that are systems here, tiny and with random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = {"<pad>": 0, "</s>": 1, "<unk>": 2, "video": 3, "motion": 4}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment]
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])  # type: ignore[assignment]
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64, **special)


def text_encoder(kind: str) -> Any:
    sizes = {"vocab_size": 8, "d_model": 32, "d_kv": 8, "d_ff": 37, "num_layers": 1, "num_heads": 2}
    config = getattr(transformers, f"{kind}Config")(relative_attention_num_buckets=8, **sizes)
    return getattr(transformers, f"{kind}EncoderModel")(config).eval()


def image_encoder(kind: str, width: int) -> Any:
    config = transformers.CLIPVisionConfig(
        hidden_size=width,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=224,
        intermediate_size=16,
        patch_size=56,
    )
    return getattr(transformers, kind)(config).eval()


def wan_vae() -> Any:
    return diffusers.AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )


WAN_TRANSFORMER: dict[str, Any] = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "out_channels": 16,
    "text_dim": 32,
    "freq_dim": 256,
    "ffn_dim": 32,
    "num_layers": 2,
    "rope_max_seq_len": 32,
}


def tiny_svd() -> Any:
    unet = diffusers.UNetSpatioTemporalConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=32,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        cross_attention_dim=32,
        num_attention_heads=8,
        projection_class_embeddings_input_dim=96,
        addition_time_embed_dim=32,
    )
    vae = diffusers.AutoencoderKLTemporalDecoder(
        block_out_channels=[32, 64], down_block_types=["DownEncoderBlock2D"] * 2, latent_channels=4
    )
    return diffusers.StableVideoDiffusionPipeline(
        vae=vae,
        image_encoder=image_encoder("CLIPVisionModelWithProjection", 32),
        unet=unet,
        scheduler=diffusers.EulerDiscreteScheduler(
            prediction_type="v_prediction",
            timestep_type="continuous",
            use_karras_sigmas=True,
            sigma_max=700.0,
        ),
        feature_extractor=transformers.CLIPImageProcessor(crop_size=224, size=224),
    )


def tiny_wan_flf2v() -> Any:
    transformer = diffusers.WanTransformer3DModel(
        in_channels=36, image_dim=8, pos_embed_seq_len=2 * 17, **WAN_TRANSFORMER
    )
    return diffusers.WanImageToVideoPipeline(
        tokenizer=tokenizer(),
        text_encoder=text_encoder("UMT5"),
        vae=wan_vae(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
        image_encoder=image_encoder("CLIPVisionModel", 8),
        image_processor=transformers.CLIPImageProcessor(crop_size=224, size=224),
        transformer=transformer,
    )


def tiny_wan_vace() -> Any:
    transformer = diffusers.WanVACETransformer3DModel(
        in_channels=16, vace_layers=[0], vace_in_channels=96, **WAN_TRANSFORMER
    )
    return diffusers.WanVACEPipeline(
        tokenizer=tokenizer(),
        text_encoder=text_encoder("UMT5"),
        vae=wan_vae(),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=7.0),
        transformer=transformer,
    )


def tiny_ltx() -> Any:
    transformer = diffusers.LTXVideoTransformer3DModel(
        in_channels=8,
        out_channels=8,
        num_attention_heads=4,
        attention_head_dim=8,
        cross_attention_dim=32,
        num_layers=1,
        caption_channels=32,
    )
    vae = diffusers.AutoencoderKLLTXVideo(
        latent_channels=8,
        block_out_channels=(8,) * 4,
        decoder_block_out_channels=(8,) * 4,
        layers_per_block=(1,) * 5,
        decoder_layers_per_block=(1,) * 5,
        spatio_temporal_scaling=(True, True, True, False),
        decoder_spatio_temporal_scaling=(True, True, True, False),
        decoder_inject_noise=(False,) * 5,
        upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4,
        patch_size=1,
    )
    return diffusers.LTXConditionPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=vae,
        text_encoder=text_encoder("T5"),
        tokenizer=tokenizer(),
        transformer=transformer,
    )


TINY: Mapping[str, Callable[[], Any]] = {
    "svd": tiny_svd,
    "wan-flf2v": tiny_wan_flf2v,
    "wan-vace": tiny_wan_vace,
    "ltx": tiny_ltx,
}
