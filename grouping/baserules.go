package grouping

import "sync"

// baseRules are the rules that hold for every project.
var baseRules = sync.OnceValue(func() *ruleSet {
	list, err := parseStackRules(baseText)
	if err != nil {
		panic(err) // a mistake in the table below, found by any test
	}
	return newRuleSet(list)
})

// baseText tells libraries from programs, and names the frames that a runtime puts around every call.
const baseText = `
# Libraries, by where they are installed.
path:**/site-packages/** -app
path:**/dist-packages/** -app
path:**/lib/python*/** -app
path:**/node_modules/** -app
path:**/vendor/** -app
path:**/.cargo/** -app
path:**/rustc/** -app
path:**/gems/** -app
path:**/go/pkg/mod/** -app
path:**/usr/local/go/src/** -app
path:/usr/lib/** -app
path:/usr/include/** -app
path:**/cdn-cgi/** -app
family:javascript path:http*://unpkg.com/** -app
family:javascript path:http*://cdnjs.cloudflare.com/** -app
family:javascript path:http*://cdn.jsdelivr.net/** -app
family:javascript path:http*://esm.run/** -app
family:javascript path:node:* -app
family:javascript path:node:*/** -app
family:javascript path:internal/** -app
family:javascript path:webpack:///webpack/** -app

# Script helpers that compilers and old browsers need.
family:javascript module:@babel/* -app -group
family:javascript module:core-js/* -app -group
family:javascript module:tslib/* -app -group
family:javascript module:regenerator-runtime/* -app -group
family:javascript path:**/newrelic/** -app
family:javascript function:processTicksAndRejections -app -group
family:javascript function:runMicrotasks -app -group
family:javascript function:processImmediate -app -group
family:javascript function:process.processTicksAndRejections -app -group
family:javascript function:process.processImmediate -app -group
family:javascript function:process._tickCallback -app -group

# Dart and Flutter.
path:org-dartlang-sdk:///** -app -group
path:**/packages/flutter/** -app
path:package:flutter/** -app
path:package:sentry/** -app -group
path:package:sentry_*/** -app -group

# The Java virtual machine and what runs on it.
module:akka.* -app
module:android.* -app
module:androidx.* -app
module:ch.qos.logback.* -app
module:clojure.* -app
module:com.android.* -app
module:com.fasterxml.* -app
module:com.google.common.* -app
module:com.microsoft.* -app
module:com.netflix.* -app
module:com.sun.* -app
module:com.zaxxer.* -app
module:dalvik.* -app
module:feign.* -app
module:groovy.* -app
module:io.grpc.* -app
module:io.netty.* -app
module:io.reactivex.* -app
module:io.sentry.* -app -group
module:io.undertow.* -app
module:io.vertx.* -app
module:jakarta.* -app
module:java.* -app
module:javax.* -app
module:jdk.* -app
module:junit.* -app
module:kotlin.* -app
module:kotlinx.* -app
module:net.bytebuddy.* -app
module:okhttp3.* -app
module:org.apache.* -app
module:org.codehaus.* -app
module:org.eclipse.* -app
module:org.glassfish.* -app
module:org.hibernate.* -app
module:org.jboss.* -app
module:org.jetbrains.* -app
module:org.junit.* -app
module:org.slf4j.* -app
module:org.springframework.* -app
module:play.* -app
module:reactor.* -app
module:retrofit2.* -app
module:rx.* -app
module:scala.* -app
module:sun.* -app

# A program that does not answer: only the outermost frame that is not the system's tells one from another.
error.mechanism:ANR module:android.* -group
error.mechanism:ANR module:com.android.* -group
error.mechanism:ANR module:dalvik.* -group
error.mechanism:ANR module:java.* -group
error.mechanism:ANR invert-stacktrace=1 max-frames=1
error.mechanism:AppExitInfo invert-stacktrace=1 max-frames=1

# The line by which a process of Python's multiprocessing is started holds the numbers of its pipes.
family:other module:__main__ function:<module> path:**/<string> -app -group

# .NET.
module:System.* -app
module:Microsoft.* -app

# Native runtimes: libraries of the system.
family:native package:/usr/lib/** -app
family:native package:/system/library/** -app
family:native package:/lib/** -app
family:native package:**/windows/system32/** -app
family:native package:**/windows/syswow64/** -app
family:native package:**/windows/winsxs/** -app
family:native package:/system/** -app
family:native package:/apex/** -app
family:native package:/vendor/** -app
family:native package:/private/var/containers/bundle/application/** +app
family:native package:/var/containers/bundle/application/** +app
family:native package:**/*.app/contents/** +app
family:native package:**/*.app/frameworks/** -app

# Native runtimes: functions around every program.
family:native function:std::* -app
family:native function:core::* -app
family:native function:alloc::* -app
family:native function:std::rt::lang_start::* -group
[function:std::rt::lang_start] | function:std::rt::lang_start_internal -group
family:native function:__rust_* -app
family:native function:rust_begin_unwind -app -group
family:native function:boost::* -app
family:native function:__cxa_* -app
family:native function:std::__1::* -group
family:native function:start package:**/libdyld* -app v-group -group
family:native function:main v-app
family:native function:start_thread -app v-group -group
family:native function:_pthread_start -app v-group -group
family:native function:thread_start -app v-group -group
family:native function:BaseThreadInitThunk -app v-group -group
family:native function:RtlUserThreadStart -app v-group -group
family:native function:__scrt_common_main* -app -group
family:native function:invoke_main -app -group
family:native function:<lambda>* -group
family:native function:UIApplicationMain -app -group v-group
family:native function:GSEventRunModal -app -group

# Native runtimes: event loops of Apple's systems.
family:native function:"-\[NSApplication(NSEvent) _nextEvent*" -app -group
family:native function:_DPSNextEvent -app -group
family:native function:_BlockUntilNextEventMatching* -app -group
family:native function:ReceiveNextEventCommon* -app -group
family:native function:RunCurrentEventLoopInMode -app -group
family:native function:CFRunLoopRun* -app -group
family:native function:__CFRunLoop* -app -group
family:native function:__CFRUNLOOP_IS_CALLING_OUT_* -app -group
family:native function:__NSThreadPerformPerform -app -group
family:native function:_dispatch_* -app -group

# Native runtimes: what follows a crash.
family:native function:abort -app -group ^-group
family:native function:raise -app -group
family:native function:__pthread_kill -app -group
family:native function:pthread_kill -app -group
family:native function:_sigtramp -app -group
family:native function:malloc_vreport -app -group
family:native function:objc_exception_throw -app ^-group
family:native function:__cxa_throw -app -group ^-group
family:native function:gpusKillClient* -app -group ^-group

# Graphics drivers differ from machine to machine.
family:native function:CContext::LUCBeginLayerDestruction -group
family:native function:NDXGI::CDevice::DestroyDriverInstance -group
family:native function:OpenAdapter1* -group
family:native function:"-\[_NSOpenGLViewBackingLayer *" -group
family:native function:"-\[NSOpenGLContext flushBuffer\]" -group
family:native package:**/glengine.bundle/** -group
family:native package:/system/library/extensions/*driver.bundle/** -group
`
