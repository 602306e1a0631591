"""OpenAlex -> works. Open `miner.mine` first."""
