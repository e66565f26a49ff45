"""The stage skim: selection, repairs, derived columns and the stream from ROOT to Parquet."""
