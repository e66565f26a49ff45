"""What a run of missing momentum plans: samples, trainings and files of each stage."""
