"""Apply the corrections with `ptmiss.analysis`: CORRECTIONS.json.gz and an estimator.

    python docs/calibrated_met.py results/calibration/TRAINING/corrections.json.gz puppi

prints what becomes of two simulated events of Z to mumu. Momenta in GeV.
"""

import sys

from ptmiss.analysis.corrections import Boson, load

met = load(*sys.argv[1:])
boson = Boson(pt=[35.0, 80.0], phi=[0.3, -1.2], n_jets=[0, 2])
for variation in met.variations:
    pt, phi = met.correct([12.6, 25.2], [0.3, 1.7], [18, 31], boson, variation)
    print(f"{variation:16s}", pt.round(2), phi.round(3))
