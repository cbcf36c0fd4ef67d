"""Simulated participants with known truth: people, bodies, exams and cohorts."""
