"""Kill jobs, fill disks and run jobs side by side; see measure_jobs.py."""
