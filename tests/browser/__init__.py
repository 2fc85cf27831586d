"""Real browsers with fake devices: Debian's chromium and firefox-esr, driven by Playwright."""
