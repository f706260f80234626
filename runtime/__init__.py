"""Code that all processes share: settings, logs, metrics, traces, embedded servers."""
