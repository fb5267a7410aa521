-- runs/list shows the newest first, however many there are.
CREATE INDEX runs_by_start ON runs (start_time, run_id);
