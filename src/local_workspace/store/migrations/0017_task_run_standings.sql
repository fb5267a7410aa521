-- Each step of a run reads how far all its tasks have come, or all iterations of a loop: from this index alone.
CREATE INDEX task_runs_standing
    ON task_runs (job_run_id, for_each_run_id, run_id, task_key, iteration, phase, outcome);
