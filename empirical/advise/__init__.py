"""What to do on this machine: memory, throughput and the settings that follow from them."""
