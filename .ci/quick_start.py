"""Runs the commands of README.md's quick start and of docs/QUICKSTART.md in order, and enters the card and its security code in a
browser. Where README.md shows an answer, the real one must have the same members, and the same values except ids and instants.

With the argument `sam`: runs them until the recurring payment is ACTIVE, through `sam local start-api`, as docs/AWS_TOOLS.md says.
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

# Members whose values differ in each run.
VARYING = {"recurringPaymentId", "paymentId", "transactionId", "createdAt", "expiresAt", "cardExpiresAt", "cardExpiry"}
SCREENSHOTS = pathlib.Path("target")
SHELL = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def section(page, heading):
    """Returns the text below a heading of a page, until the next heading."""
    return re.split(r"\n#+ ", pathlib.Path(page).read_text().split(f"# {heading}\n")[1])[0]


def blocks(text):
    """Returns the shell blocks of a text, each with the answers that are shown below it."""
    found = []
    for language, block in re.findall(r"```(sh|json)\n(.*?)```", text, re.S):
        if language == "sh":
            found.append((block, []))
        else:
            found[-1][1].extend(parse(block))
    return found


def parse(text):
    """Returns the JSON values of a text, which are separated by white space."""
    values = []
    while text := text.strip():
        value, end = json.JSONDecoder().raw_decode(text)
        values.append(value)
        text = text[end:]
    return values


def comparable(value, name=None):
    """Replaces the values that differ in each run by their types."""
    if name in VARYING:
        return type(value).__name__
    if isinstance(value, dict):
        return {name: comparable(member, name) for name, member in value.items()}
    return [comparable(element) for element in value] if isinstance(value, list) else value


QUICK_START = blocks(section("README.md", "Quick start"))
TOUR = blocks(pathlib.Path("docs/QUICKSTART.md").read_text())


def run(block):
    """Runs a block in the shell. Returns the lines of its output that are not empty. Its answers must be those that are shown."""
    commands, shown = block
    SHELL.stdin.write(commands + "\necho end-of-block\n")
    SHELL.stdin.flush()
    lines = []
    while (line := SHELL.stdout.readline().strip()) != "end-of-block":
        lines += [line] if line else []
    if shown:
        answers = [json.loads(line) for line in lines]
        assert comparable(answers) == comparable(shown), (answers, shown)
    return lines


def start_browser():
    options = webdriver.ChromeOptions()
    for argument in ["headless", "no-sandbox", "disable-gpu", "disable-background-networking", "window-size=390,844"]:
        options.add_argument(f"--{argument}")
    options.binary_location = "/usr/bin/chromium"
    return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))


def open_page(browser, address):
    # A function in a container returns an address with the container's name for this machine.
    browser.get(address.replace(CONTAINER_HOST, "127.0.0.1"))
    assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == "nb"


def submit(browser):
    """Presses the button of the page. Returns the address that the page redirects to, which is the console's."""
    browser.find_element(By.ID, "okButton").click()
    WebDriverWait(browser, 10).until(lambda b: "responseCode=OK" in b.current_url)
    assert "Recurring payments on this machine" in browser.page_source
    return browser.current_url


def enter_card(address):
    """Enters a card on Nets' page. Returns the address that the page redirects to."""
    browser = start_browser()
    try:
        open_page(browser, address)
        browser.find_element(By.ID, "cardNo").send_keys("4925000000000004")
        Select(browser.find_element(By.ID, "month")).select_by_value("12")
        Select(browser.find_element(By.ID, "year")).select_by_index(3)
        browser.find_element(By.ID, "securityCode").send_keys("12")
        browser.find_element(By.ID, "okButton").click()
        error = WebDriverWait(browser, 10).until(lambda b: b.find_element(By.ID, "securityCode-error"))
        assert "tre sifre" in error.text, error.text
        browser.find_element(By.ID, "securityCode").send_keys("123")
        browser.save_screenshot(str(SCREENSHOTS / "terminal.png"))
        redirected = submit(browser)
        browser.save_screenshot(str(SCREENSHOTS / "console.png"))
        return redirected
    finally:
        browser.quit()


def confirm_payment(address):
    """Enters the security code on Nets' page for a payment, which knows the card. Returns the address that it redirects to."""
    browser = start_browser()
    try:
        open_page(browser, address)
        assert browser.find_elements(By.ID, "cardNo") == []
        button = browser.find_element(By.ID, "okButton").text
        assert button.startswith("Betal") and "100" in button, button
        browser.find_element(By.ID, "securityCode").send_keys("123")
        browser.save_screenshot(str(SCREENSHOTS / "payment.png"))
        return submit(browser)
    finally:
        browser.quit()


def quick_start(is_sam):
    """README.md: returns the ACTIVE recurring payment, and the transaction of the payment if it is captured."""
    assert [len(shown) for _, shown in QUICK_START] == [0, 1, 0, 2, 0, 1], QUICK_START
    run(QUICK_START[0])
    if is_sam:
        run(blocks(section("docs/AWS_TOOLS.md", "SAM, with Docker"))[-1])
    (created,) = map(json.loads, run(QUICK_START[1]))
    assert created["primary"] is True and created["recurringStatus"] == "CREATED", created
    (address,) = run(QUICK_START[2])
    print(enter_card(address))
    active, listed = map(json.loads, run(QUICK_START[3]))
    assert active["recurringStatus"] == "ACTIVE" and active["maskedPan"] == "0004", active
    assert listed == [active], listed
    if is_sam:
        return active, None
    (address,) = run(QUICK_START[4])
    redirected = confirm_payment(address)
    assert "recurringPaymentId" not in redirected, redirected
    (captured,) = map(json.loads, run(QUICK_START[5]))
    assert captured["status"] == "CAPTURED" and captured["summary"]["capturedAmount"] == "100.00", captured
    return active, captured


def tour(active, captured):
    """docs/QUICKSTART.md"""
    assert len(TOUR) == 8, len(TOUR)
    again, payment = map(json.loads, run(TOUR[0]))
    assert captured == again, (captured, again)
    assert payment["status"] == "CAPTURED" and len(payment["transactionHistory"]) == 1, payment
    part, everything = map(json.loads, run(TOUR[1]))
    assert part["summary"]["creditedAmount"] == "30.00" and part["status"] == "CAPTURED", part
    assert everything["summary"]["creditedAmount"] == "100.00" and everything["status"] == "CREDITED", everything
    updated, both, ended, remaining = map(json.loads, run(TOUR[2]))
    assert updated["primary"] is True and [payment["primary"] for payment in both] == [False, True], both
    assert ended["recurringStatus"] == "CANCELLED" and remaining == [active], remaining
    (address,) = run(TOUR[3])
    enter_card(address)
    summary, third = map(json.loads, run(TOUR[4]))
    assert summary["failed"] == 0 and third["recurringStatus"] == "ACTIVE", (summary, third)
    notifications = []
    for _ in range(50):  # `cargo local` runs the schedule too, so its run may deliver the notifications
        (notifications,) = map(json.loads, run(TOUR[5]))
        if len(notifications) >= 2:
            break
        time.sleep(0.1)
    assert [received["signature"] for received in notifications] == ["valid"] * 2, notifications
    types = sorted(received["body"]["type"] for received in notifications)
    assert types == ["recurring-payment.activated", "recurring-payment.primary-changed"], notifications
    terminal, charged = map(json.loads, run(TOUR[6]))
    assert terminal["terminalUri"] == "http://127.0.0.1:3001/", terminal
    assert charged["status"] == "CAPTURED" and charged["amount"] == "49.50", charged
    (expired,) = map(json.loads, run(TOUR[7]))
    assert [payment["recurringStatus"] for payment in expired] == ["EXPIRED"] * 2, expired
    assert not any(payment["primary"] for payment in expired), expired


def main():
    if sys.argv[1:] == ["sam"]:
        quick_start(is_sam=True)
        print("README.md's quick start until ACTIVE, through sam local start-api: 1 passed")
    else:
        tour(*quick_start(is_sam=False))
        print("README.md's quick start and docs/QUICKSTART.md: 1 passed")


main()
