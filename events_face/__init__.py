"""What all processes share: settings, logging, the command line, the embedded servers."""
