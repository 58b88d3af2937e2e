"""One folder per backend, one file per port that it serves; imported only when it is used."""
