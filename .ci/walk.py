"""Runs the shell lines of README.md's walk in order, and enters the card in a browser where a person would.

With `sam`: up to an ACTIVE card, through `sam local start-api`, as README.md says.
"""

import json
import pathlib
import re
import subprocess
import sys
import time

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from events import CONTAINER_HOST

README = pathlib.Path("README.md").read_text()
PICTURES = pathlib.Path("target")
SHELL = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def blocks(heading):
    """The shell lines below a heading."""
    return re.findall(r"```sh\n(.*?)```", README.split(f"# {heading}\n")[1].split("\n#")[0], re.S)


BLOCKS = blocks("Quick start")


def paste(block):
    """What the block prints, as lines that are not empty."""
    SHELL.stdin.write(block + "\necho end-of-block\n")
    SHELL.stdin.flush()
    lines = []
    while (line := SHELL.stdout.readline().strip()) != "end-of-block":
        lines += [line] if line else []
    return lines


def enter_card(address):
    """What a customer does at Nets; the address that the page leads to."""
    options = webdriver.ChromeOptions()
    for argument in ["headless", "no-sandbox", "disable-gpu", "disable-background-networking", "window-size=390,844"]:
        options.add_argument(f"--{argument}")
    options.binary_location = "/usr/bin/chromium"
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    try:
        # For a function in a container, Nets' page is at the machine that the container runs on.
        browser.get(address.replace(CONTAINER_HOST, "127.0.0.1"))
        assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == "nb"
        browser.find_element(By.ID, "cardNo").send_keys("4925000000000004")
        Select(browser.find_element(By.ID, "month")).select_by_value("12")
        Select(browser.find_element(By.ID, "year")).select_by_index(3)
        browser.find_element(By.ID, "securityCode").send_keys("12")
        browser.find_element(By.ID, "okButton").click()
        fault = WebDriverWait(browser, 10).until(lambda b: b.find_element(By.ID, "securityCode-fault"))
        assert "tre sifre" in fault.text, fault.text
        browser.find_element(By.ID, "securityCode").send_keys("123")
        browser.save_screenshot(str(PICTURES / "terminal.png"))
        browser.find_element(By.ID, "okButton").click()
        WebDriverWait(browser, 10).until(lambda b: "responseCode=OK" in b.current_url)
        assert "Recurring payments on this machine" in browser.page_source
        browser.save_screenshot(str(PICTURES / "console.png"))
        return browser.current_url
    finally:
        browser.quit()


def main():
    assert len(BLOCKS) == 9, len(BLOCKS)
    paste(BLOCKS[0])
    through_sam = sys.argv[1:] == ["sam"]
    if through_sam:
        paste(blocks("SAM, with Docker")[-1])
    (created,) = map(json.loads, paste(BLOCKS[1]))
    assert created["primary"] is True and created["recurringStatus"] == "CREATED", created
    (address,) = paste(BLOCKS[2])
    print(enter_card(address))
    active, listed = map(json.loads, paste(BLOCKS[3]))
    assert active["recurringStatus"] == "ACTIVE" and active["maskedPan"] == "0004", active
    assert listed == [active], listed
    if through_sam:
        print("the walk of README.md up to an ACTIVE card, through sam local start-api: 1 passed")
        return
    chosen, both, ended, left = map(json.loads, paste(BLOCKS[4]))
    assert chosen["primary"] is True and [one["primary"] for one in both] == [False, True], both
    assert ended["recurringStatus"] == "CANCELLED" and left == [active], left
    (address,) = paste(BLOCKS[5])
    enter_card(address)
    tally, third = map(json.loads, paste(BLOCKS[6]))
    assert tally["failed"] == 0 and third["recurringStatus"] == "ACTIVE", (tally, third)
    told = []
    for _ in range(50):  # `cargo local` runs the schedule as well: it may be the one that is telling
        (told,) = map(json.loads, paste(BLOCKS[7]))
        if told:
            break
        time.sleep(0.1)
    assert [one["signature"] for one in told] == ["valid"], told
    assert told[0]["body"]["type"] == "recurring-payment.activated", told
    (expired,) = map(json.loads, paste(BLOCKS[8]))
    assert [one["recurringStatus"] for one in expired] == ["EXPIRED"] * 2, expired
    assert not any(one["primary"] for one in expired), expired
    print("the walk of README.md: 1 passed")


main()
