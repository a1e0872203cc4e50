"""NAS-Bench-ASR (Mehrotra et al., ICLR 2021): convolutional cells for speech recognition."""

from jaxzc_spaces.nasbench_asr.space import NasBenchAsr

__all__ = ["NasBenchAsr"]
