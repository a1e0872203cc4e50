"""The spaces of genotypes and of chains of super blocks, for tests of all of them."""

from jaxzc_spaces.darts.space import Darts
from jaxzc_spaces.nds import NdsAmoeba, NdsDarts, NdsEnas, NdsNasnet, NdsPnas
from jaxzc_spaces.superblocks.mobilenetv2_zen import MobileNetV2Zen
from jaxzc_spaces.superblocks.resnet_zen import ResNetZen

GENOTYPES = (Darts(), Darts(zero=True, repeats=True), NdsDarts(), NdsEnas(), NdsPnas(), NdsNasnet(), NdsAmoeba())
CHAINS = (MobileNetV2Zen(), ResNetZen())
