"""Scores architectures of free widths and depths without compiling anything for them (design note).

**The problem.** Where widths are free, every architecture has shapes of its own. Pieces that architectures have in common
(`jaxzc._compile.pieces`) leave some ten to seventy new pieces for each child of a search, and tracing and cutting each child anew.
Running takes a twentieth of that.

**The design.** A space describes an architecture as steps, each an operation of padded widths (`jaxzc.spacekit.steps`). A step's forward
pass, its backward pass and a proxy's term of one layer are *pieces*: functions of arrays, compiled once for each operation (`store`). Depth
is a Python loop that calls them (`passes`), so that an architecture is neither traced nor compiled. Gradients are a reverse pass over the
same steps. A proxy whose score is a sum over layers is called with one layer at a time (`terms`).

**No piece of two widths.** Dense convolutions, which depend on a pair of widths, are computed on the host, by BLAS through NumPy
(`convolutions`), so that their pairs are compiled nowhere. What is compiled depends on one width: normalisation and ReLU, depthwise
convolutions, a proxy's term of one layer. Sums and scalars are NumPy's, too (`host`): a compiled piece takes 50 microseconds to be called.

**Why it is exact.** Padded channels have kernels of zero. Their outputs are zero, batch normalisation (scale 1, shift 0) leaves zero, ReLU
leaves zero; the kernel that reads them has zeros there, so their gradient is zero too. Values and gradients of the true weights are those
of the narrow network, up to the order in which a convolution sums. What zeros would change is corrected:

- draws: the true kernels are drawn in the order and shapes of the discrete network, and padded afterwards (`weights`);
- Hamming kernels: examples agree on a padded unit, so their number is subtracted;
- deviations over the weights of a layer (SNR): `existing` says which weights exist;
- proxies for which zeros matter otherwise (counts over intervals that contain 0, MeCo, Zen, SWAP, VKDNW, ...) are not scored here but by
  the discrete program. Those that are say so as a fact of theirs: `@proxy(over_layers=...)`.

**Floor and waste.** Rungs are 2**k and 3 * 2**(k-1): the ratio of two neighbours is 1.33 or 1.5. For widths spread evenly in logarithm a
width is padded by 1.2 on average, a product of two widths by 1.2**2 = 1.43 (measured on chains of a search: 1.2, because 8, 16, 24, 32, 48
and 64 are rungs). Elementwise work, most of the time of narrow networks, grows by the first factor, matrix products by the second. Per step
and batch a child costs two calls of about 50 microseconds and three convolutions: that, and the arithmetic, is the floor.

**Several at once.** What is new to a generation is compiled together, and its architectures run side by side, one on each processor
(`generation`). Processes of one processor each (`jaxzc._parallel.crew`, `jaxzc search --processes`) are faster: XLA's pool of one thread
runs a piece where it is called, and Python's lock is no one else's.

**Few widths.** NDS's widths are few as they are, so that its steps are not padded, and may lie beside each other (`Concat`).

**Number of pieces.** Bounded by the rungs at each resolution, kernel and stride: some 1,500 for `mobilenetv2_zen`. A walk of 300 children
needs 647, of which the last children add half a piece each; pieces of two widths were 1,375 (benchmarks/README.md, "Free widths").
`jaxzc spaces warm` compiles those of a walk ahead and says how many.

Only on CPUs; elsewhere, and for all other options, `jaxzc._compile.pieces` is used as before.
"""
