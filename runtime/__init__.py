"""What all processes share: settings, logs, metrics, traces, the embedded servers."""
