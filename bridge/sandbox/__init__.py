"""Stand-ins for the systems that the bridge joins: real servers on this machine, with the real ones' behaviour and errors."""
