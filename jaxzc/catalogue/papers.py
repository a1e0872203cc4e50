"""The papers of the proxies."""

from typing import NamedTuple


class Paper(NamedTuple):
    """A paper: how it is cited in a line, and where it is read."""

    title: str
    url: str


PAPERS = {
    "zero-cost": Paper("Abdelfattah et al., Zero-Cost Proxies for Lightweight NAS, ICLR 2021", "https://arxiv.org/abs/2101.08134"),
    "snip": Paper("Lee et al., SNIP, ICLR 2019", "https://arxiv.org/abs/1810.02340"),
    "grasp": Paper("Wang et al., GraSP, ICLR 2020", "https://arxiv.org/abs/2002.07376"),
    "fisher": Paper(
        "Theis et al., Faster gaze prediction with dense networks and Fisher pruning, 2018", "https://arxiv.org/abs/1801.05787"
    ),
    "blockswap": Paper("Turner et al., BlockSwap, ICLR 2020", "https://arxiv.org/abs/1906.04113"),
    "naswot": Paper("Mellor et al., Neural Architecture Search without Training, ICML 2021", "https://arxiv.org/abs/2006.04647"),
    "synflow": Paper("Tanaka et al., SynFlow, NeurIPS 2020", "https://arxiv.org/abs/2006.05467"),
    "zico": Paper("Li et al., ZiCo, ICLR 2023", "https://arxiv.org/abs/2301.11300"),
    "zico_bc": Paper("Bhardwaj et al., ZiCo-BC, ICCV Workshops 2023", "https://arxiv.org/abs/2309.14666"),
    "sweet": Paper("Yang et al., Sweet Gradient Matters, 2023", "https://openreview.net/forum?id=AsSdrNJ-DZG"),
    "tcet": Paper("Xiang et al., T-CET, AutoML 2023", "https://proceedings.mlr.press/v224/xiang23a.html"),
    "az_nas": Paper("Lee & Ham, AZ-NAS, CVPR 2024", "https://arxiv.org/abs/2403.19232"),
    "dextr": Paper("Asthana et al., Dextr, TMLR 2025", "https://arxiv.org/abs/2508.12977"),
    "tf_tas": Paper("Zhou et al., Training-free Transformer Architecture Search, CVPR 2022", "https://arxiv.org/abs/2203.12217"),
    "auto_prox": Paper("Wei et al., Auto-Prox, AAAI 2024", "https://arxiv.org/abs/2312.09059"),
    "epe_nas": Paper("Lopes et al., EPE-NAS, ICANN 2021", "https://arxiv.org/abs/2102.08099"),
    "gradsign": Paper("Zhang & Jia, GradSign, ICLR 2022", "https://arxiv.org/abs/2110.08616"),
    "meco": Paper("Jiang et al., MeCo, NeurIPS 2023", "https://openreview.net/forum?id=KFm2lZiI7n"),
    "sensitivity": Paper("Novak et al., Sensitivity and Generalization in Neural Networks, ICLR 2018", "https://arxiv.org/abs/1802.08760"),
    "knas": Paper("Xu et al., KNAS, ICML 2021", "https://arxiv.org/abs/2111.13293"),
    "nasi": Paper("Shu et al., NASI, ICLR 2022", "https://arxiv.org/abs/2109.00817"),
    "swap": Paper("Peng et al., SWAP-NAS, ICLR 2024", "https://arxiv.org/abs/2403.04161"),
    "freerea": Paper("Cavagnero et al., FreeREA, WACV 2023", "https://arxiv.org/abs/2207.05135"),
    "te_nas": Paper("Chen, Gong & Wang, TE-NAS, ICLR 2021", "https://arxiv.org/abs/2102.11535"),
    "vkdnw": Paper("Tybl & Neumann, VKDNW, CVPR 2025", "https://arxiv.org/abs/2502.04975"),
    "wrcor": Paper("Jing et al., Weighted Response Correlation, Neurocomputing 2025", "https://arxiv.org/abs/2507.08841"),
    "recurrent": Paper(
        "Serianni & Kalita, Training-free Neural Architecture Search for RNNs and Transformers, ACL 2023",
        "https://arxiv.org/abs/2306.00288",
    ),
    "near": Paper("NEAR, ICLR 2025", "https://arxiv.org/abs/2408.08776"),
    "intrain": Paper("InTrain, CVPR 2026", "https://arxiv.org/abs/2606.18676"),
    "w_pca": Paper("W-PCA, ICLR 2025", "https://arxiv.org/abs/2504.15983"),
    "zen": Paper("Lin et al., Zen-NAS, ICCV 2021", "https://arxiv.org/abs/2102.01063"),
    "l_swag": Paper("Casarin, Escalera & Lanz, L-SWAG, CVPR 2025", "https://arxiv.org/abs/2505.07300"),
}
"""A word for each paper -> the paper."""
