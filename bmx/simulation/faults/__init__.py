"""What goes wrong with people, bodies, exams and files: small functions, each with its label in the truth."""
