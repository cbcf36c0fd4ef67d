"""Networks: torch modules that know nothing of files, devices, participants or percent."""
