"""Background work: delivery of notifications, sync, cleanup, schedules."""
