"""Where images come from: UK Biobank zips and folders of DICOM files, read tolerantly."""
