# Databricks notebook source
import time

# It is cancelled long before.
time.sleep(600)
