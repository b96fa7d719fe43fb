"""What devices and monitoring centres say to each other, as files for other programs."""
