CREATE TABLE jobs (
    job_id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    settings TEXT NOT NULL,
    creator TEXT NOT NULL,
    created_time INTEGER NOT NULL,
    deleted_time INTEGER
);
CREATE INDEX jobs_by_name ON jobs (name COLLATE NOCASE);

-- A run of a job, or a one-time run (runs/submit).
CREATE TABLE runs (
    run_id INTEGER PRIMARY KEY,
    job_id INTEGER NOT NULL,
    run_name TEXT NOT NULL,
    run_type TEXT NOT NULL,
    trigger TEXT NOT NULL,
    caller_run_id INTEGER,          -- the task run whose run_job_task started this run
    phase TEXT NOT NULL,
    outcome TEXT,
    code TEXT,
    message TEXT NOT NULL DEFAULT '',
    created_time INTEGER NOT NULL,
    start_time INTEGER NOT NULL DEFAULT 0,
    end_time INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX runs_by_job ON runs (job_id, run_id);
CREATE INDEX runs_active ON runs (phase) WHERE phase <> 'TERMINATED';

-- What was asked of a run: number 0 is the original, each further one a repair. Settings are those at that moment.
CREATE TABLE executions (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    number INTEGER NOT NULL,
    repair_id INTEGER UNIQUE,
    settings TEXT NOT NULL,
    request TEXT NOT NULL,
    start_time INTEGER NOT NULL,
    end_time INTEGER NOT NULL DEFAULT 0,
    outcome TEXT,
    code TEXT,
    message TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, number)
);

-- One row per attempt of a task, or of one iteration of a for-each task.
CREATE TABLE task_runs (
    run_id INTEGER PRIMARY KEY,
    job_run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    execution INTEGER NOT NULL,
    task_key TEXT NOT NULL,
    for_each_run_id INTEGER,        -- set for an iteration: the task run of its for-each task
    iteration INTEGER,
    input TEXT,
    attempt_number INTEGER NOT NULL,
    original_attempt_run_id INTEGER NOT NULL,
    phase TEXT NOT NULL,
    outcome TEXT,
    code TEXT,
    message TEXT NOT NULL DEFAULT '',
    created_time INTEGER NOT NULL,
    start_time INTEGER NOT NULL DEFAULT 0,
    execution_time INTEGER NOT NULL DEFAULT 0,
    end_time INTEGER NOT NULL DEFAULT 0,
    settings TEXT NOT NULL,
    resolved TEXT NOT NULL DEFAULT '{}',
    output TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX task_runs_by_run ON task_runs (job_run_id, run_id);
CREATE INDEX task_runs_by_for_each ON task_runs (for_each_run_id, iteration);

CREATE TABLE task_values (
    job_run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    task_key TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (job_run_id, task_key, key)
);

-- A token stays reserved when its run is deleted.
CREATE TABLE idempotency_tokens (
    token TEXT PRIMARY KEY,
    run_id INTEGER NOT NULL
);
