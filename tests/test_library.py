"""The commands as functions, called as a notebook calls them: by names that are all in `jaxzc`."""

import numpy as np
import pytest

import jaxzc

TINY = {"channels": 2, "cells": 1}
B = "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_1x1~2|"


def test_training():
    settings = {"images": 100, "batch_size": 40, "crop": 1, "flip": False, "options": TINY}
    epochs = []
    trained = jaxzc.train("nasbench201", B, epochs=2, on_epoch=lambda number, epoch: epochs.append((number, epoch)), **settings)
    assert epochs == list(enumerate(trained.history, 1))
    assert (len(trained.history), trained.trained, trained.tested) == (2, 80, 20)
    assert trained.accuracy == trained.history[-1].test
    images = jaxzc.training.split("digits", images=100)
    hits = np.asarray(trained.module(images.test.inputs)).argmax(1) == images.test.targets
    assert 100 * hits.mean() == pytest.approx(trained.accuracy)

    space = jaxzc.space("nasbench201", classes=10, inputs=(8, 8, 1), **TINY)
    request = jaxzc.TrainRequest(space, space.parse(B), epochs=2)
    with pytest.raises(jaxzc.JaxzcError, match="a TrainRequest and also epochs: put that into the request"):
        jaxzc.train(request, epochs=3)
    with pytest.raises(jaxzc.JaxzcError, match="made already, without channels"):
        jaxzc.train(space, B, options={"channels": 2})
