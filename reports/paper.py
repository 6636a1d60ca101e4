"""The paper's tables 2 to 5 as it reports them (arXiv:2410.20280): to stand beside our rows, never among them.

Nothing here was measured by this project.
"""

from __future__ import annotations

ARXIV = "arXiv:2410.20280"

# Table 2: planner, generator, FVD on DAVIS-7, FVD on UCF101-7. 256 px, 25 DDIM steps.
TABLE_2: tuple[tuple[str, str, float, float], ...] = (
    ("MAR-1B", "", 427.66, 741.80),
    ("MAR-3B", "", 373.03, 701.03),
    ("", "DM-0.3B", 320.89, 383.04),
    ("MAR-1B", "DM-0.3B", 224.07, 258.08),
    ("MAR-3B", "DM-0.3B", 102.87, 197.69),
)

# Table 3: asymmetric attention, asymmetric resolution, frames, then seconds a clip and GiB at 256 px, the same at
# 512 px ("OOM": out of memory). One A100 80GB, bf16, 25 DDIM steps. At 256 px the paper prints one cell for both
# settings of resolution.
TABLE_3: tuple[tuple[bool, bool, int, float, float, float | str, float | str], ...] = (
    (False, False, 9, 2.76, 25.22, 25.09, 74.44),
    (False, True, 9, 2.76, 25.22, 17.91, 41.03),
    (False, False, 13, 4.41, 27.80, "OOM", "OOM"),
    (False, True, 13, 4.41, 27.80, 34.58, 62.51),
    (True, False, 13, 2.63, 27.75, "OOM", "OOM"),
    (True, True, 13, 2.63, 27.75, 6.05, 42.57),
)

# Table 4: method, then MidF-SSIM, MidF-LPIPS, FID, FVD on DAVIS-7, the same on UCF101-7. The rows of other methods are
# VIDIM's (arXiv:2404.01203): the first two columns of its Table 1, the others of its Table 2.
TABLE_4: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...] = (
    ("AMT", (0.4853, 0.2865, 34.65, 234.50), (0.7903, 0.1691, 31.60, 344.50)),
    ("RIFE", (0.4546, 0.2954, 23.98, 240.04), (0.7769, 0.1564, 18.72, 323.80)),
    ("FILM", (0.4718, 0.3048, 30.16, 214.80), (0.7869, 0.1620, 26.06, 328.20)),
    ("LDMVFI", (0.4175, 0.2765, 22.10, 245.02), (0.7712, 0.1564, 18.09, 316.30)),
    ("VIDIM", (0.4221, 0.2986, 28.06, 199.32), (0.6880, 0.1768, 34.48, 278.00)),
    ("MarDini-S/ST-256", (0.4249, 0.3654, 49.21, 224.07), (0.7654, 0.2480, 45.85, 258.08)),
    ("MarDini-L/ST-256", (0.4959, 0.2768, 20.64, 102.87), (0.7734, 0.2213, 28.85, 197.69)),
    ("MarDini-S/ST-512", (0.5017, 0.3193, 25.92, 138.86), (0.7960, 0.2315, 30.24, 205.71)),
    ("MarDini-L/ST-512", (0.5314, 0.2736, 20.76, 99.05), (0.7814, 0.2347, 30.08, 204.20)),
    ("MarDini-L/T-512", (0.5085, 0.3083, 25.30, 117.13), (0.7893, 0.2270, 30.72, 198.94)),
)

# Table 5: method, resolution, pre-trained on images, seconds a generated frame, then the five columns of VBench-I2V.
TABLE_5: tuple[tuple[str, str, bool, float | None, tuple[float, ...]], ...] = (
    ("ConsistI2V", "256x256", True, 7.63, (95.82, 95.95, 78.87, 85.74, 88.27)),
    ("DynamiCrafter", "256x256", True, None, (97.05, 97.56, 80.18, 85.00, 88.07)),
    ("DynamiCrafter", "512x320", True, 4.88, (97.21, 97.40, 81.63, 85.39, 88.37)),
    ("SEINE", "512x320", True, None, (96.57, 96.80, 79.49, 85.71, 88.45)),
    ("VideoCrafter", "512x320", True, 9.43, (91.17, 91.31, 81.34, 87.55, 88.47)),
    ("SEINE", "512x512", True, 5.13, (97.15, 96.94, 80.58, 87.13, 89.61)),
    ("Animate-Anything", "512x512", True, 1.58, (98.76, 98.58, 81.21, 88.84, 91.30)),
    ("MarDini-L/ST-9", "512x512", False, 2.24, (98.64, 97.12, 80.84, 88.22, 90.64)),
    ("MarDini-S/ST-9", "512x512", False, 2.24, (99.04, 97.23, 81.00, 88.59, 90.98)),
    ("MarDini-L/T-17", "512x512", False, 0.48, (98.23, 97.01, 80.25, 87.68, 90.16)),
    ("MarDini-S/T-17", "512x512", False, 0.46, (98.76, 97.18, 80.56, 88.17, 90.62)),
    ("SVD-XT-1.0", "1024x576", True, 2.19, (97.52, 97.63, 82.79, 86.54, 89.30)),
    ("SVD-XT-1.1", "1024x576", True, 2.19, (97.51, 97.62, 82.23, 86.66, 89.38)),
    ("I2VGen-XL", "1280x720", True, 6.01, (96.48, 96.83, 81.17, 87.02, 89.43)),
    ("DynamiCrafter", "1024x576", True, 7.13, (98.17, 98.60, 82.52, 87.31, 90.08)),
    ("MarDini-L/T-17", "768x768", False, 1.01, (98.34, 96.63, 80.88, 88.22, 90.54)),
    ("MarDini-S/T-17", "768x768", False, 0.98, (98.77, 96.78, 81.29, 88.68, 90.95)),
    ("MarDini-L/T-17", "1024x1024", False, None, (98.61, 96.34, 81.35, 88.69, 90.89)),
    ("MarDini-S/T-17", "1024x1024", False, None, (98.78, 96.46, 81.74, 88.97, 91.13)),
)
